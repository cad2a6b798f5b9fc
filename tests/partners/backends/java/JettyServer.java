import java.nio.file.Files;
import java.nio.file.Path;
import javax.servlet.MultipartConfigElement;
import javax.servlet.http.HttpServlet;
import org.eclipse.jetty.server.ForwardedRequestCustomizer;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.servlet.DefaultServlet;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;

/** Serves the servlet site or the shop on embedded Jetty 9.4: JettyServer site DIR PAGE, JettyServer shop DIR. */
public final class JettyServer {
    public static void main(String[] arguments) throws Exception {
        var scratch = Path.of(arguments[1]);
        boolean isShop = arguments[0].equals("shop");
        var http = new HttpConfiguration();
        if (isShop) {
            http.addCustomizer(new ForwardedRequestCustomizer());
        }
        var server = new Server();
        var connector = new ServerConnector(server, new HttpConnectionFactory(http));
        connector.setHost("127.0.0.1");
        server.addConnector(connector);

        var context = new ServletContextHandler(ServletContextHandler.SESSIONS);
        context.setResourceBase(scratch.resolve("www").toString());
        context.setMaxFormContentSize(-1);
        HttpServlet servlet = isShop ? new Shop() : new Site(Files.readAllBytes(Path.of(arguments[2])));
        var holder = new ServletHolder(servlet);
        holder.getRegistration().setMultipartConfig(new MultipartConfigElement(scratch.toString(), -1, -1, 1 << 16));
        context.addServlet(holder, "/*");
        var files = new ServletHolder(new DefaultServlet());
        files.setInitParameter("etags", "true");
        context.addServlet(files, "/static/*");
        server.setHandler(context);
        server.start();

        System.out.println("listening tcp 127.0.0.1:" + connector.getLocalPort());
        server.join();
    }
}
