<?php
// The shop on Slim 3, which takes scheme, host and client from the web server.
require 'Slim/autoload.php';
require __DIR__ . '/stock.php';

use Slim\Http\Request;
use Slim\Http\Response;
use Slim\Http\Stream;

$app = new Slim\App();
$url = fn (Request $request) => $request->getUri()->getBaseUrl()
    . $app->getContainer()->get('router')->pathFor('pages', ['name' => 'one']);

$app->get('/page', fn (Request $request, Response $response) => $response->write("open\n"));
$app->get('/where', fn (Request $request, Response $response) => $response->withJson([
    'url' => $url($request),
    'secure' => $request->getUri()->getScheme() === 'https',
    'client' => $request->getServerParam('REMOTE_ADDR'),
]));
$app->get('/move', fn (Request $request, Response $response) => $response->withRedirect($url($request)));
$app->get('/visits', fn (Request $request, Response $response) => $response->withJson(
    visits($request->getUri()->getScheme() === 'https'),
));
$app->get('/wx', fn (Request $request, Response $response) => $response->withStatus(409)->write('asked'));
$app->post('/wx', fn (Request $request, Response $response) => $response
    ->withHeader('Content-Type', 'text/xml')
    ->write(reply((string) $request->getBody(), $request->getServerParam('REQUEST_URI'))));
$app->post('/photos', function (Request $request, Response $response) {
    $photo = $request->getUploadedFiles()['photo'];
    return $response->withJson(photo($photo->file, $photo->getClientFilename()));
});
$app->get('/file', fn (Request $request, Response $response) => $response
    ->withHeader('Content-Type', 'application/octet-stream')
    ->withBody(new Stream(fopen(file_on_offer(), 'rb'))));
$app->get('/stream', function (Request $request, Response $response) {
    return $response->withBody(new Stream(popen('for i in 1 2 3 4 5; do echo part $i; sleep 0.02; done', 'r')));
});
$app->get('/packed', fn (Request $request, Response $response) => $response
    ->withHeader('Content-Encoding', 'gzip')
    ->write(packed()));
$app->get('/broken', function () {
    throw new RuntimeException('broken on purpose');
});
$app->get('/pages/{name:.*}', fn (Request $request, Response $response, array $arguments) => $response->withJson([
    'target' => $request->getServerParam('REQUEST_URI'),
    'name' => bin2hex($arguments['name']),
]))->setName('pages');
$app->run();
