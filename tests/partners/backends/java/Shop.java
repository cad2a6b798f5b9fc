import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.GZIPOutputStream;

/** The shop as a servlet: scheme, host, port and client are what the container says. /static is the container's own servlet. */
final class Shop extends HttpServlet {
    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        String path = request.getRequestURI();
        if (path.startsWith("/pages/")) {
            pages(request, response);
            return;
        }
        switch (path) {
            case "/page" -> send(response, "text/plain", "open\n".getBytes(StandardCharsets.UTF_8));
            case "/where" -> where(request, response);
            case "/move" -> response.sendRedirect("/pages/one");
            case "/visits" -> visits(request, response);
            case "/wx" -> message(request, response);
            case "/photos" -> photos(request, response);
            case "/file" -> request.getRequestDispatcher("/static/file.bin").forward(request, response);
            case "/stream" -> stream(response);
            case "/packed" -> packed(response);
            case "/broken" -> throw new IllegalStateException("broken on purpose");
            default -> response.sendError(404);
        }
    }

    private static void where(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String url = request.getRequestURL().toString().replace("/where", "/pages/one");
        sendJson(response, "url", url, "secure", request.isSecure(), "client", request.getRemoteAddr());
    }

    private static void visits(HttpServletRequest request, HttpServletResponse response) throws IOException {
        var session = request.getSession();
        var before = (Integer) session.getAttribute("visits");
        int visits = before == null ? 1 : before + 1;
        session.setAttribute("visits", visits);
        sendJson(response, "visits", visits);
    }

    private static void message(HttpServletRequest request, HttpServletResponse response) throws IOException {
        if (request.getMethod().equals("GET")) {
            response.setStatus(409);
            response.getWriter().write("asked");
            return;
        }
        String sum = sha256(request.getInputStream().readAllBytes());
        String target = request.getRequestURI() + "?" + request.getQueryString();
        String reply = "<xml><Content><![CDATA[" + sum + " " + target + "]]></Content></xml>";
        send(response, "text/xml", reply.getBytes(StandardCharsets.UTF_8));
    }

    private static void photos(HttpServletRequest request, HttpServletResponse response) throws IOException, ServletException {
        var photo = request.getPart("photo");
        byte[] bytes = photo.getInputStream().readAllBytes();
        sendJson(response, "bytes", bytes.length, "sha256", sha256(bytes), "filename", photo.getSubmittedFileName());
    }

    private static void stream(HttpServletResponse response) throws IOException {
        for (int i = 1; i <= 5; i++) {
            response.getOutputStream().write(("part " + i + "\n").getBytes(StandardCharsets.UTF_8));
            response.flushBuffer();
        }
    }

    private static void packed(HttpServletResponse response) throws IOException {
        response.setHeader("Content-Encoding", "gzip");
        send(response, "text/plain; charset=utf-8", packed("欢迎使用\n".repeat(1000)));
    }

    private static void pages(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String query = request.getQueryString();
        String target = request.getRequestURI() + (query == null ? "" : "?" + query);
        byte[] name = request.getPathInfo().substring("/pages/".length()).getBytes(StandardCharsets.UTF_8);
        sendJson(response, "target", target, "name", HexFormat.of().formatHex(name));
    }

    static byte[] packed(String text) throws IOException {
        var packed = new ByteArrayOutputStream();
        try (var gzip = new GZIPOutputStream(packed)) {
            gzip.write(text.getBytes(StandardCharsets.UTF_8));
        }
        return packed.toByteArray();
    }

    static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    static byte[] json(Object... pairs) {
        Map<String, Object> value = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            value.put((String) pairs[i], pairs[i + 1]);
        }
        return Json.write(value).getBytes(StandardCharsets.UTF_8);
    }

    private static void sendJson(HttpServletResponse response, Object... pairs) throws IOException {
        send(response, "application/json", json(pairs));
    }

    private static void send(HttpServletResponse response, String type, byte[] body) throws IOException {
        response.setContentType(type);
        response.setContentLength(body.length);
        response.getOutputStream().write(body);
    }
}
