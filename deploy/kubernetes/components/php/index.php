<?php
// Shows what a site behind wxgate sees.
header('Content-Type: text/plain; charset=utf-8');
$scheme = empty($_SERVER['HTTPS']) ? 'http' : 'https';
echo "PHP: {$_SERVER['REQUEST_METHOD']} $scheme://{$_SERVER['HTTP_HOST']}{$_SERVER['REQUEST_URI']} from {$_SERVER['REMOTE_ADDR']}\n";
