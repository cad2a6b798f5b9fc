<?php
// The shop on Symfony 5.4 in one kernel, with the framework's own `trusted_proxies` and session.
require 'Symfony/Bundle/FrameworkBundle/autoload.php';
require_once 'Symfony/Component/HttpKernel/autoload.php';
require_once 'Symfony/Component/HttpFoundation/autoload.php';
require __DIR__ . '/stock.php';

use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpFoundation\BinaryFileResponse;
use Symfony\Component\HttpFoundation\JsonResponse;
use Symfony\Component\HttpFoundation\RedirectResponse;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpFoundation\StreamedResponse;
use Symfony\Component\HttpKernel\Kernel;
use Symfony\Component\Routing\Generator\UrlGeneratorInterface;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

final class Shop extends Kernel
{
    use MicroKernelTrait;

    public function registerBundles(): iterable
    {
        yield new FrameworkBundle();
    }

    public function getProjectDir(): string
    {
        return folder();
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->extension('framework', [
            'secret' => 'of the tests',
            'http_method_override' => false,
            'trusted_proxies' => '127.0.0.1',
            'trusted_headers' => ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port'],
            'session' => [
                'storage_factory_id' => 'session.storage.factory.native',
                'handler_id' => null,
                'cookie_secure' => 'auto',
            ],
        ]);
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        foreach (['page', 'where', 'move', 'visits', 'photos', 'file', 'stream', 'packed', 'broken', 'wx'] as $name) {
            $routes->add($name, "/$name")->controller([$this, $name]);
        }
        $routes->add('pages', '/pages/{name}')->requirements(['name' => '.*'])->controller([$this, 'pages']);
    }

    public function page(): Response
    {
        return new Response("open\n");
    }

    private function url(): string
    {
        $router = $this->getContainer()->get('router');
        return $router->generate('pages', ['name' => 'one'], UrlGeneratorInterface::ABSOLUTE_URL);
    }

    public function where(Request $request): Response
    {
        $seen = ['url' => $this->url(), 'secure' => $request->isSecure(), 'client' => $request->getClientIp()];
        return new JsonResponse($seen);
    }

    public function move(): Response
    {
        return new RedirectResponse($this->url());
    }

    public function visits(Request $request): Response
    {
        $session = $request->getSession();
        $session->set('visits', $session->get('visits', 0) + 1);
        return new JsonResponse(['visits' => $session->get('visits')]);
    }

    public function wx(Request $request): Response
    {
        if ($request->isMethod('GET')) {
            return new Response('asked', 409);
        }
        $reply = reply($request->getContent(), $request->server->get('REQUEST_URI'));
        return new Response($reply, 200, ['Content-Type' => 'text/xml']);
    }

    public function photos(Request $request): Response
    {
        $photo = $request->files->get('photo');
        return new JsonResponse(photo($photo->getPathname(), $photo->getClientOriginalName()));
    }

    public function file(Request $request): Response
    {
        $kind = ['Content-Type' => 'application/octet-stream'];
        $response = new BinaryFileResponse(file_on_offer(), 200, $kind, true, null, true);
        $response->isNotModified($request);
        return $response;
    }

    public function stream(): Response
    {
        return new StreamedResponse('send_lines');
    }

    public function packed(): Response
    {
        return new Response(packed(), 200, ['Content-Encoding' => 'gzip']);
    }

    public function broken(): Response
    {
        throw new RuntimeException('broken on purpose');
    }

    public function pages(Request $request, string $name): Response
    {
        return new JsonResponse(['target' => $request->server->get('REQUEST_URI'), 'name' => bin2hex($name)]);
    }
}

$kernel = new Shop('prod', false);
$request = Request::createFromGlobals();
$response = $kernel->handle($request);
$response->send();
$kernel->terminate($request, $response);
