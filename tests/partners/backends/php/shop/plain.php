<?php
// The shop without a framework, which knows of wxgate only what its web server (or forwarded.php) tells it.
require __DIR__ . '/stock.php';

$secure = ($_SERVER['HTTPS'] ?? '') === 'on';
$base = ($secure ? 'https' : 'http') . "://{$_SERVER['HTTP_HOST']}";
$target = $_SERVER['REQUEST_URI'];
$path = strtok($target, '?');

function send(string $type, string $body, int $status = 200): void
{
    http_response_code($status);
    header("Content-Type: $type");
    header('Content-Length: ' . strlen($body));
    echo $body;
}

function send_file(string $path): void
{
    $size = filesize($path);
    $tag = '"' . hash_file('crc32b', $path) . '"';
    header("ETag: $tag");
    header('Accept-Ranges: bytes');
    if (($_SERVER['HTTP_IF_NONE_MATCH'] ?? '') === $tag) {
        http_response_code(304);
        return;
    }
    [$first, $last] = [0, $size - 1];
    if (preg_match('/^bytes=(\d+)-(\d+)$/', $_SERVER['HTTP_RANGE'] ?? '', $match)) {
        [, $first, $last] = array_map('intval', $match);
        http_response_code(206);
        header("Content-Range: bytes $first-$last/$size");
    }
    header('Content-Type: application/octet-stream');
    header('Content-Length: ' . ($last - $first + 1));
    if ($_SERVER['REQUEST_METHOD'] !== 'HEAD') {
        echo file_get_contents($path, false, null, $first, $last - $first + 1);
    }
}

if (str_starts_with($path, '/pages/')) {
    send('application/json', json(['target' => $target, 'name' => bin2hex(rawurldecode(substr($path, 7)))]));
    return;
}
switch ($path) {
    case '/page':
        send('text/plain', "open\n");
        break;
    case '/where':
        $seen = ['url' => "$base/pages/one", 'secure' => $secure, 'client' => $_SERVER['REMOTE_ADDR']];
        send('application/json', json($seen));
        break;
    case '/move':
        header("Location: $base/pages/one", true, 302);
        break;
    case '/visits':
        send('application/json', json(visits($secure)));
        break;
    case '/wx':
        if ($_SERVER['REQUEST_METHOD'] === 'GET') {
            send('text/plain', 'asked', 409);
        } else {
            send('text/xml', reply(file_get_contents('php://input'), $target));
        }
        break;
    case '/photos':
        send('application/json', json(photo($_FILES['photo']['tmp_name'], $_FILES['photo']['name'])));
        break;
    case '/file':
        send_file(file_on_offer());
        break;
    case '/stream':
        header('Content-Type: text/plain');
        send_lines();
        break;
    case '/packed':
        header('Content-Encoding: gzip');
        send('text/plain; charset=utf-8', packed());
        break;
    case '/broken':
        throw new RuntimeException('broken on purpose');
    default:
        send('text/plain', "no such page\n", 404);
}
