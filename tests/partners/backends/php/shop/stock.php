<?php
// What the shops of every framework have in common: no request, no answer, only content.

function folder(): string
{
    return getenv('SCRATCH');
}

/** The file that a shop offers. */
function file_on_offer(): string
{
    return folder() . '/www/static/file.bin';
}

/** The reply to a WeChat message: what of it arrived. */
function reply(string $body, string $target): string
{
    return '<xml><Content><![CDATA[' . hash('sha256', $body) . " $target]]></Content></xml>";
}

function photo(string $path, ?string $name): array
{
    return ['bytes' => filesize($path), 'sha256' => hash_file('sha256', $path), 'filename' => $name];
}

/** How often this browser was here, by PHP's own session, whose cookie is for https alone if the page is. */
function visits(bool $secure): array
{
    session_set_cookie_params(['secure' => $secure, 'httponly' => true]);
    session_start();
    $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
    session_write_close();
    return ['visits' => $_SESSION['visits']];
}

/** Five lines, each as soon as it is there. */
function send_lines(): void
{
    for ($i = 1; $i <= 5; $i++) {
        echo "part $i\n";
        flush();
        usleep(20_000);
    }
}

function packed(): string
{
    return gzencode(str_repeat("欢迎使用\n", 1000), 9);
}

function json(array $value): string
{
    return json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
}
