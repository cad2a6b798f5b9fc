import jakarta.websocket.CloseReason;
import jakarta.websocket.OnMessage;
import jakarta.websocket.OnOpen;
import jakarta.websocket.Session;
import jakarta.websocket.server.ServerEndpoint;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.catalina.Context;
import org.apache.tomcat.websocket.server.WsSci;

/** A WebSocket echo on /ws: messages come back with their type; the text "close CODE REASON" closes so. */
@ServerEndpoint("/ws")
public final class Echo {
    private static final Pattern CLOSE = Pattern.compile("close (\\d{4}) (.*)");
    private static final int LARGEST = 32 << 20;

    /** Gives Tomcat's context this endpoint. */
    static void addTo(Context context) {
        context.addServletContainerInitializer(
                (classes, servlets) -> new WsSci().onStartup(Set.of(Echo.class), servlets), Set.of());
    }

    @OnOpen
    public void open(Session session) {
        session.setMaxTextMessageBufferSize(LARGEST);
        session.setMaxBinaryMessageBufferSize(LARGEST);
    }

    @OnMessage
    public void text(String text, Session session) throws IOException {
        var close = CLOSE.matcher(text);
        if (close.matches()) {
            int code = Integer.parseInt(close.group(1));
            session.close(new CloseReason(CloseReason.CloseCodes.getCloseCode(code), close.group(2)));
        } else {
            session.getBasicRemote().sendText(text);
        }
    }

    @OnMessage
    public void binary(ByteBuffer bytes, Session session) throws IOException {
        session.getBasicRemote().sendBinary(bytes);
    }
}
