<?php
// A line a second, for as many seconds as are asked for, and then the end.
header('Content-Type: text/plain');
header('X-Accel-Buffering: no');
while (ob_get_level()) {
    ob_end_flush();
}
for ($second = 0; $second < (int) $_GET['seconds']; $second++) {
    echo "$second\n";
    flush();
    sleep(1);
}
echo "end\n";
