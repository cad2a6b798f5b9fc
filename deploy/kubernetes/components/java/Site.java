// Shows what a site behind wxgate sees.  Run as it is: java Site.java
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

public class Site {
  public static void main(String[] arguments) throws Exception {
    // Only wxgate, in the same pod, gets in.
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 8080), 0);
    ExecutorService threads = Executors.newFixedThreadPool(16);
    server.setExecutor(threads);
    server.createContext("/", exchange -> {
      var fields = exchange.getRequestHeaders();
      byte[] body = "Java: %s %s://%s%s from %s\n".formatted(exchange.getRequestMethod(),
          fields.getFirst("X-Forwarded-Proto"), fields.getFirst("Host"), exchange.getRequestURI(),
          fields.getFirst("X-Real-IP")).getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
      exchange.sendResponseHeaders(200, body.length);
      try (exchange; var stream = exchange.getResponseBody()) {
        stream.write(body);
      }
    });
    // At SIGTERM, requests under way get ten seconds. JDK 17 waits for all of them even if there is no request.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      server.stop(10);
      threads.shutdown();
    }));
    server.start();
  }
}
