<?php
// What a site of plain PHP puts before everything else if its web server does not believe wxgate for it: the same lines as
// in a wp-config.php. Only for a site that nobody but wxgate reaches.
if (($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') {
    $_SERVER['HTTPS'] = 'on';
}
if (isset($_SERVER['HTTP_X_REAL_IP'])) {
    $_SERVER['REMOTE_ADDR'] = $_SERVER['HTTP_X_REAL_IP'];
}
