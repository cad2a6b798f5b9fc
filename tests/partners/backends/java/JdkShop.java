import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;

/** The shop on the JDK's HttpServer, which knows no proxies, sessions or forms: JdkShop DIR. */
public final class JdkShop {
    private static final Pattern SESSION = Pattern.compile("session=([0-9a-f-]+)");
    private static final Pattern RANGE = Pattern.compile("bytes=(\\d+)-(\\d+)");

    private final Map<String, AtomicInteger> sessions = new ConcurrentHashMap<>();
    private final byte[] file;

    private JdkShop(byte[] file) {
        this.file = file;
    }

    public static void main(String[] arguments) throws Exception {
        var shop = new JdkShop(Files.readAllBytes(Path.of(arguments[0], "www/static/file.bin")));
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.createContext("/", shop::answer);
        server.start();
        System.out.println("listening tcp 127.0.0.1:" + server.getAddress().getPort());
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().getRawPath();
            if (path.startsWith("/pages/")) {
                pages(exchange, path.substring("/pages/".length()));
                return;
            }
            switch (path) {
                case "/page" -> send(exchange, 200, "text/plain", "open\n".getBytes(StandardCharsets.UTF_8));
                case "/where" -> where(exchange);
                case "/move" -> move(exchange);
                case "/visits" -> visits(exchange);
                case "/wx" -> message(exchange);
                case "/file" -> file(exchange);
                case "/stream" -> stream(exchange);
                case "/packed" -> packed(exchange);
                case "/broken" -> send(exchange, 500, "text/plain", "broken on purpose\n".getBytes(StandardCharsets.UTF_8));
                default -> send(exchange, 404, "text/plain", "no such page\n".getBytes(StandardCharsets.UTF_8));
            }
        }
    }

    /** The address of a page as the client knows it, by the fields that wxgate sends. */
    private static String url(HttpExchange exchange) {
        var fields = exchange.getRequestHeaders();
        return fields.getFirst("X-Forwarded-Proto") + "://" + fields.getFirst("Host") + "/pages/one";
    }

    private static boolean isSecure(HttpExchange exchange) {
        return "https".equals(exchange.getRequestHeaders().getFirst("X-Forwarded-Proto"));
    }

    private static void where(HttpExchange exchange) throws IOException {
        String client = exchange.getRequestHeaders().getFirst("X-Real-IP");
        sendJson(exchange, "url", url(exchange), "secure", isSecure(exchange), "client", client);
    }

    private static void move(HttpExchange exchange) throws IOException {
        exchange.getResponseHeaders().set("Location", url(exchange));
        exchange.sendResponseHeaders(302, -1);
    }

    private void visits(HttpExchange exchange) throws IOException {
        var cookie = exchange.getRequestHeaders().getFirst("Cookie");
        var known = SESSION.matcher(cookie == null ? "" : cookie);
        String id = known.find() ? known.group(1) : UUID.randomUUID().toString();
        int visits = sessions.computeIfAbsent(id, ignored -> new AtomicInteger()).incrementAndGet();
        String secure = isSecure(exchange) ? "; Secure" : "";
        exchange.getResponseHeaders().set("Set-Cookie", "session=" + id + "; Path=/; HttpOnly" + secure);
        sendJson(exchange, "visits", visits);
    }

    private static void message(HttpExchange exchange) throws IOException {
        if (exchange.getRequestMethod().equals("GET")) {
            send(exchange, 409, "text/plain", "asked".getBytes(StandardCharsets.UTF_8));
            return;
        }
        String sum = Shop.sha256(exchange.getRequestBody().readAllBytes());
        String reply = "<xml><Content><![CDATA[" + sum + " " + exchange.getRequestURI() + "]]></Content></xml>";
        send(exchange, 200, "text/xml", reply.getBytes(StandardCharsets.UTF_8));
    }

    private void file(HttpExchange exchange) throws IOException {
        var answer = exchange.getResponseHeaders();
        var fields = exchange.getRequestHeaders();
        answer.set("ETag", "\"v1\"");
        if ("\"v1\"".equals(fields.getFirst("If-None-Match"))) {
            exchange.sendResponseHeaders(304, -1);
            return;
        }
        answer.set("Content-Type", "application/octet-stream");
        var range = RANGE.matcher(fields.getFirst("Range") == null ? "" : fields.getFirst("Range"));
        if (exchange.getRequestMethod().equals("HEAD")) {
            answer.set("Content-Length", String.valueOf(file.length));
            exchange.sendResponseHeaders(200, -1);
        } else if (range.matches()) {
            int first = Integer.parseInt(range.group(1));
            int length = Integer.parseInt(range.group(2)) - first + 1;
            answer.set("Content-Range", "bytes " + first + "-" + (first + length - 1) + "/" + file.length);
            exchange.sendResponseHeaders(206, length);
            exchange.getResponseBody().write(file, first, length);
        } else {
            exchange.sendResponseHeaders(200, file.length);
            exchange.getResponseBody().write(file);
        }
    }

    private static void stream(HttpExchange exchange) throws IOException {
        exchange.sendResponseHeaders(200, 0);
        for (int i = 1; i <= 5; i++) {
            exchange.getResponseBody().write(("part " + i + "\n").getBytes(StandardCharsets.UTF_8));
            exchange.getResponseBody().flush();
        }
    }

    private static void packed(HttpExchange exchange) throws IOException {
        exchange.getResponseHeaders().set("Content-Encoding", "gzip");
        send(exchange, 200, "text/plain; charset=utf-8", Shop.packed("欢迎使用\n".repeat(1000)));
    }

    private static void pages(HttpExchange exchange, String name) throws IOException {
        byte[] decoded = URLDecoder.decode(name, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8);
        String target = exchange.getRequestURI().toString();
        sendJson(exchange, "target", target, "name", HexFormat.of().formatHex(decoded));
    }

    private static void sendJson(HttpExchange exchange, Object... pairs) throws IOException {
        send(exchange, 200, "application/json", Shop.json(pairs));
    }

    private static void send(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
    }
}
