<?php
// The site of the tests in PHP, for php-fpm and for PHP's built-in server.

const PIECE = 65536;

function send(int $status, string $type, string $body): void
{
    http_response_code($status);
    header("Content-Type: $type");
    header('Content-Length: ' . strlen($body));
    echo $body;
}

function send_json(array $value): void
{
    send(200, 'application/json', json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES));
}

function block(string $seed): string
{
    $block = '';
    for ($i = 0; $i < PIECE / 32; $i++) {
        $block .= hash('sha256', "$seed:$i", true);
    }
    return $block;
}

/** The bytes of a download, piece by piece. */
function pieces(): Generator
{
    $block = block($_GET['seed'] ?? '0');
    for ($left = (int) ($_GET['bytes'] ?? 0); $left > 0; $left -= PIECE) {
        yield $left < PIECE ? substr($block, 0, $left) : $block;
    }
}

function page(): void
{
    header('Set-Cookie: a=1; Path=/');
    header('Set-Cookie: b=2; Path=/', false);
    send(200, 'text/html; charset=utf-8', file_get_contents(__DIR__ . '/../page.html'));
}

function upload(): void
{
    $type = $_SERVER['CONTENT_TYPE'] ?? '';
    $file = reset($_FILES);
    $stream = fopen($file ? $file['tmp_name'] : 'php://input', 'rb');
    $bytes = 0;
    $hash = hash_init('sha256');
    while (($piece = fread($stream, PIECE)) !== false && $piece !== '') {
        $bytes += strlen($piece);
        hash_update($hash, $piece);
    }
    $answer = ['bytes' => $bytes, 'sha256' => hash_final($hash), 'content_type' => $type];
    send_json($file ? $answer + ['filename' => $file['name']] : $answer);
}

function download(): void
{
    header('Content-Type: application/octet-stream');
    header('Content-Length: ' . (int) ($_GET['bytes'] ?? 0));
    if ($_SERVER['REQUEST_METHOD'] === 'HEAD') {
        return;
    }
    foreach (pieces() as $piece) {
        echo $piece;
        flush();
    }
}

function download_sha(): void
{
    $hash = hash_init('sha256');
    foreach (pieces() as $piece) {
        hash_update($hash, $piece);
    }
    send(200, 'text/plain', hash_final($hash));
}

/** Sends pieces one by one, each as soon as it is there. */
function send_slowly(string $type, callable $piece, int $milliseconds): void
{
    header("Content-Type: $type");
    header('X-Accel-Buffering: no');
    for ($i = 1; $i <= 5; $i++) {
        echo $piece($i);
        flush();
        usleep($milliseconds * 1000);
    }
}

function redirect(): void
{
    $first = fn (string $list) => trim(explode(',', $list)[0]);
    $scheme = $first($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? 'http');
    $host = $first($_SERVER['HTTP_X_FORWARDED_HOST'] ?? $_SERVER['HTTP_HOST']);
    header("Location: $scheme://$host/page");
    send(302, 'text/plain', "moved\n");
}

function not_modified(): void
{
    header('ETag: "v1"');
    if (($_SERVER['HTTP_IF_NONE_MATCH'] ?? '') === '"v1"') {
        http_response_code(304);
        header_remove('Content-Type');
        return;
    }
    send(200, 'text/plain', "version 1\n");
}

function range_of_block(): void
{
    $block = block('range');
    header('Accept-Ranges: bytes');
    if (!preg_match('/^bytes=(\d*)-(\d*)$/', $_SERVER['HTTP_RANGE'] ?? '', $match)) {
        send(200, 'application/octet-stream', $block);
        return;
    }
    [, $from, $to] = $match;
    $first = $from === '' ? max(0, PIECE - (int) $to) : (int) $from;
    $last = $from === '' || $to === '' ? PIECE - 1 : min((int) $to, PIECE - 1);
    if ($first > $last) {
        header('Content-Range: bytes */' . PIECE);
        send(416, 'text/plain', "no such range\n");
        return;
    }
    header("Content-Range: bytes $first-$last/" . PIECE);
    send(206, 'application/octet-stream', substr($block, $first, $last - $first + 1));
}

function gzip(): void
{
    header('Content-Encoding: gzip');
    send(200, 'text/html; charset=utf-8', gzencode(file_get_contents(__DIR__ . '/../page.html'), 9));
}

function headers(): void
{
    $headers = getallheaders();
    send_json([
        'headers' => array_map(null, array_map('strval', array_keys($headers)), array_values($headers)),
        'method' => $_SERVER['REQUEST_METHOD'],
        'target' => $_SERVER['REQUEST_URI'],
        'remote' => $_SERVER['REMOTE_ADDR'],
        'scheme' => $_SERVER['REQUEST_SCHEME'] ?? 'http',
    ]);
}

function slow(): void
{
    usleep((int) ($_GET['ms'] ?? 0) * 1000);
    send(200, 'text/plain', "slow\n");
}

function status(): void
{
    $code = (int) ($_GET['code'] ?? 200);
    if ($code === 204 || $code === 304) {
        http_response_code($code);
        return;
    }
    send($code, 'text/plain', "status $code\n");
}

function echo_body(): void
{
    header('Content-Type: ' . ($_SERVER['CONTENT_TYPE'] ?? 'application/octet-stream'));
    header('X-Accel-Buffering: no');
    $stream = fopen('php://input', 'rb');
    while (($piece = fread($stream, PIECE)) !== false && $piece !== '') {
        echo $piece;
        flush();
    }
}

match (strtok($_SERVER['REQUEST_URI'], '?')) {
    '/page' => page(),
    '/cookies' => send(200, 'text/plain; charset=utf-8', $_SERVER['HTTP_COOKIE'] ?? ''),
    '/form' => send_json($_POST),
    '/upload' => upload(),
    '/download' => download(),
    '/download-sha' => download_sha(),
    '/chunked' => send_slowly('text/plain', fn ($i) => "part $i\n", 20),
    '/gzip' => gzip(),
    '/redirect' => redirect(),
    '/not-modified' => not_modified(),
    '/range' => range_of_block(),
    '/events' => send_slowly('text/event-stream', fn ($i) => "id: $i\ndata: event $i\n\n", 300),
    '/headers' => headers(),
    '/slow' => slow(),
    '/status' => status(),
    '/echo' => echo_body(),
    default => send(404, 'text/plain', "no such page\n"),
};
