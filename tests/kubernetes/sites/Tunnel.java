// A page at every path, and at /socket a WebSocket that sends back what it gets, byte for byte, masks and all.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;

public class Tunnel {
  public static void main(String[] arguments) throws Exception {
    try (var server = new ServerSocket(8080, 64, InetAddress.getLoopbackAddress())) {
      while (true) {
        Socket socket = server.accept();
        Thread.ofVirtual().start(() -> serve(socket));
      }
    }
  }

  static void serve(Socket socket) {
    try (socket) {
      var lines = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.ISO_8859_1), 1);
      OutputStream out = socket.getOutputStream();
      String request;
      while ((request = lines.readLine()) != null) {
        String key = null;
        for (String line; !(line = lines.readLine()).isEmpty(); ) {
          if (line.toLowerCase().startsWith("sec-websocket-key:")) key = line.substring(18).trim();
        }
        if (key == null || !request.startsWith("GET /socket ")) {
          out.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npage!\n".getBytes());
          continue;
        }
        byte[] hash = MessageDigest.getInstance("SHA-1").digest((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").getBytes());
        out.write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + Base64.getEncoder().encodeToString(hash) + "\r\n\r\n").getBytes());
        for (int each; (each = lines.read()) >= 0; ) out.write(each);
        return;
      }
    } catch (Exception error) {
      System.err.println(error);
    }
  }
}
