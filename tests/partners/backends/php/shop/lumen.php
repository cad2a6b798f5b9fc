<?php
// The shop on Lumen 8, which believes wxgate as Laravel's TrustProxies middleware would make it.
require 'Laravel/Lumen/autoload.php';
require __DIR__ . '/stock.php';

use Illuminate\Http\Request;

Request::setTrustedProxies(
    ['127.0.0.1'],
    Request::HEADER_X_FORWARDED_FOR | Request::HEADER_X_FORWARDED_HOST
        | Request::HEADER_X_FORWARDED_PORT | Request::HEADER_X_FORWARDED_PROTO,
);
$app = new Laravel\Lumen\Application(folder());
$router = $app->router;

$router->get('/page', fn () => response("open\n"));
$router->get('/where', fn (Request $request) => response()->json([
    'url' => route('pages', ['name' => 'one']),
    'secure' => $request->secure(),
    'client' => $request->ip(),
]));
$router->get('/move', fn () => redirect()->route('pages', ['name' => 'one']));
$router->get('/visits', fn (Request $request) => response()->json(visits($request->secure())));
$router->get('/wx', fn () => response('asked', 409));
$router->post('/wx', fn (Request $request) => response(
    reply($request->getContent(), $request->server('REQUEST_URI')),
    200,
    ['Content-Type' => 'text/xml'],
));
$router->post('/photos', function (Request $request) {
    $photo = $request->file('photo');
    return response()->json(photo($photo->getPathname(), $photo->getClientOriginalName()));
});
$router->get('/file', function (Request $request) {
    $response = response()->download(file_on_offer())->setAutoEtag();
    $response->isNotModified($request);
    return $response;
});
$router->get('/stream', fn () => response()->stream('send_lines'));
$router->get('/packed', fn () => response(packed(), 200, ['Content-Encoding' => 'gzip']));
$router->get('/broken', function () {
    throw new RuntimeException('broken on purpose');
});
$router->get('/pages/{name:.*}', ['as' => 'pages', fn (Request $request, string $name) => response()->json([
    'target' => $request->server('REQUEST_URI'),
    'name' => bin2hex(rawurldecode($name)),
])]);
$app->run();
