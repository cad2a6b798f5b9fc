import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.Part;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.regex.Pattern;
import java.util.zip.GZIPOutputStream;

/** The site of the tests as a servlet. */
final class Site extends HttpServlet {
    private static final int PIECE = 65536;
    private static final Pattern RANGE = Pattern.compile("bytes=(\\d*)-(\\d*)");

    private final byte[] page;

    Site(byte[] page) {
        this.page = page;
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        switch (request.getRequestURI()) {
            case "/page" -> page(response);
            case "/cookies" -> send(response, 200, "text/plain; charset=utf-8", header(request, "Cookie", ""));
            case "/form" -> form(request, response);
            case "/upload" -> upload(request, response);
            case "/download" -> download(request, response);
            case "/download-sha" -> downloadSha(request, response);
            case "/chunked" -> sendSlowly(response, "text/plain", i -> "part " + i + "\n", 20);
            case "/gzip" -> gzip(response);
            case "/redirect" -> redirect(request, response);
            case "/not-modified" -> notModified(request, response);
            case "/range" -> range(request, response);
            case "/events" -> sendSlowly(response, "text/event-stream", i -> "id: " + i + "\ndata: event " + i + "\n\n", 300);
            case "/headers" -> headers(request, response);
            case "/slow" -> slow(request, response);
            case "/status" -> status(request, response);
            case "/echo" -> echo(request, response);
            default -> send(response, 404, "text/plain", "no such page\n");
        }
    }

    private void page(HttpServletResponse response) throws IOException {
        response.addHeader("Set-Cookie", "a=1; Path=/");
        response.addHeader("Set-Cookie", "b=2; Path=/");
        send(response, 200, "text/html; charset=utf-8", page);
    }

    private void form(HttpServletRequest request, HttpServletResponse response) throws IOException {
        request.setCharacterEncoding("UTF-8");
        var fields = new LinkedHashMap<String, Object>();
        request.getParameterMap().forEach((name, values) -> fields.put(name, values[0]));
        sendJson(response, fields);
    }

    private void upload(HttpServletRequest request, HttpServletResponse response) throws IOException, ServletException {
        String type = request.getContentType() == null ? "" : request.getContentType();
        Part file = type.startsWith("multipart/form-data") ? firstFile(request) : null;
        MessageDigest digest = sha256();
        long bytes = 0;
        try (InputStream body = file == null ? request.getInputStream() : file.getInputStream()) {
            byte[] piece = new byte[PIECE];
            for (int n; (n = body.read(piece)) >= 0; bytes += n) {
                digest.update(piece, 0, n);
            }
        }
        var answer = new LinkedHashMap<String, Object>();
        answer.put("bytes", bytes);
        answer.put("sha256", HexFormat.of().formatHex(digest.digest()));
        answer.put("content_type", type);
        if (file != null) {
            answer.put("filename", file.getSubmittedFileName());
        }
        sendJson(response, answer);
    }

    private static Part firstFile(HttpServletRequest request) throws IOException, ServletException {
        for (Part part : request.getParts()) {
            if (part.getSubmittedFileName() != null) {
                return part;
            }
        }
        return null;
    }

    private static void download(HttpServletRequest request, HttpServletResponse response) throws IOException {
        long left = bytes(request);
        response.setContentType("application/octet-stream");
        response.setContentLengthLong(left);
        if (request.getMethod().equals("HEAD")) {
            return;
        }
        byte[] block = block(seed(request));
        OutputStream out = response.getOutputStream();
        for (; left > 0; left -= PIECE) {
            out.write(block, 0, (int) Math.min(left, PIECE));
        }
    }

    private static void downloadSha(HttpServletRequest request, HttpServletResponse response) throws IOException {
        byte[] block = block(seed(request));
        MessageDigest digest = sha256();
        for (long left = bytes(request); left > 0; left -= PIECE) {
            digest.update(block, 0, (int) Math.min(left, PIECE));
        }
        send(response, 200, "text/plain", HexFormat.of().formatHex(digest.digest()));
    }

    /** Sends pieces one by one, each as soon as it is there. */
    private static void sendSlowly(HttpServletResponse response, String type, IntFunction<String> piece, int milliseconds)
            throws IOException {
        response.setContentType(type);
        for (int i = 1; i <= 5; i++) {
            response.getOutputStream().write(utf8(piece.apply(i)));
            response.flushBuffer();
            pause(milliseconds);
        }
    }

    private void gzip(HttpServletResponse response) throws IOException {
        var packed = new ByteArrayOutputStream();
        try (var gzip = new GZIPOutputStream(packed)) {
            gzip.write(page);
        }
        response.setHeader("Content-Encoding", "gzip");
        send(response, 200, "text/html; charset=utf-8", packed.toByteArray());
    }

    private static void redirect(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String scheme = first(header(request, "X-Forwarded-Proto", "http"));
        String host = first(header(request, "X-Forwarded-Host", header(request, "Host", "")));
        response.setHeader("Location", scheme + "://" + host + "/page");
        send(response, 302, "text/plain", "moved\n");
    }

    private static void notModified(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.setHeader("ETag", "\"v1\"");
        if (header(request, "If-None-Match", "").equals("\"v1\"")) {
            response.setStatus(304);
            return;
        }
        send(response, 200, "text/plain", "version 1\n");
    }

    private static void range(HttpServletRequest request, HttpServletResponse response) throws IOException {
        byte[] block = block("range");
        response.setHeader("Accept-Ranges", "bytes");
        var match = RANGE.matcher(header(request, "Range", ""));
        if (!match.matches()) {
            send(response, 200, "application/octet-stream", block);
            return;
        }
        String from = match.group(1);
        String to = match.group(2);
        int first = from.isEmpty() ? Math.max(0, PIECE - Integer.parseInt(to)) : Integer.parseInt(from);
        int last = from.isEmpty() || to.isEmpty() ? PIECE - 1 : Math.min(Integer.parseInt(to), PIECE - 1);
        if (first > last) {
            response.setHeader("Content-Range", "bytes */" + PIECE);
            send(response, 416, "text/plain", "no such range\n");
            return;
        }
        response.setHeader("Content-Range", "bytes " + first + "-" + last + "/" + PIECE);
        send(response, 206, "application/octet-stream", Arrays.copyOfRange(block, first, last + 1));
    }

    private static void headers(HttpServletRequest request, HttpServletResponse response) throws IOException {
        var headers = new ArrayList<List<String>>();
        for (String name : new LinkedHashSet<>(Collections.list(request.getHeaderNames()))) {
            for (String value : Collections.list(request.getHeaders(name))) {
                headers.add(List.of(name, value));
            }
        }
        String query = request.getQueryString();
        var answer = new LinkedHashMap<String, Object>();
        answer.put("headers", headers);
        answer.put("method", request.getMethod());
        answer.put("target", request.getRequestURI() + (query == null ? "" : "?" + query));
        answer.put("remote", String.valueOf(request.getRemoteAddr()));
        answer.put("scheme", request.getScheme());
        sendJson(response, answer);
    }

    private static void slow(HttpServletRequest request, HttpServletResponse response) throws IOException {
        pause(Integer.parseInt(parameter(request, "ms", "0")));
        send(response, 200, "text/plain", "slow\n");
    }

    private static void status(HttpServletRequest request, HttpServletResponse response) throws IOException {
        int code = Integer.parseInt(parameter(request, "code", "200"));
        if (code == 204 || code == 304) {
            response.setStatus(code);
            return;
        }
        send(response, code, "text/plain", "status " + code + "\n");
    }

    private static void echo(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.setContentType(header(request, "Content-Type", "application/octet-stream"));
        InputStream in = request.getInputStream();
        OutputStream out = response.getOutputStream();
        byte[] piece = new byte[PIECE];
        for (int n; (n = in.read(piece)) >= 0; ) {
            out.write(piece, 0, n);
            response.flushBuffer();
        }
    }

    private static long bytes(HttpServletRequest request) {
        return Long.parseLong(parameter(request, "bytes", "0"));
    }

    private static String seed(HttpServletRequest request) {
        return parameter(request, "seed", "0");
    }

    private static byte[] block(String seed) {
        byte[] block = new byte[PIECE];
        MessageDigest digest = sha256();
        for (int i = 0; i < PIECE / 32; i++) {
            System.arraycopy(digest.digest(utf8(seed + ":" + i)), 0, block, i * 32, 32);
        }
        return block;
    }

    private static void send(HttpServletResponse response, int status, String type, String body) throws IOException {
        send(response, status, type, utf8(body));
    }

    private static void send(HttpServletResponse response, int status, String type, byte[] body) throws IOException {
        response.setStatus(status);
        response.setContentType(type);
        response.setContentLength(body.length);
        response.getOutputStream().write(body);
    }

    private static void sendJson(HttpServletResponse response, Map<String, Object> value) throws IOException {
        send(response, 200, "application/json", Json.write(value));
    }

    private static String parameter(HttpServletRequest request, String name, String otherwise) {
        String value = request.getParameter(name);
        return value == null ? otherwise : value;
    }

    private static String header(HttpServletRequest request, String name, String otherwise) {
        String value = request.getHeader(name);
        return value == null ? otherwise : value;
    }

    private static String first(String list) {
        return list.split(",")[0].trim();
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void pause(int milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
