<?php
require 'lib.inc';
message();
$parts = [token(), $_GET['timestamp'], $_GET['nonce']];
sort($parts, SORT_NUMERIC);
$other = [token(), $_GET['timestamp'], $_GET['nonce']];
sort($other);
in_array($_GET['signature'], [sha1(implode($parts)), sha1(implode($other))]) || refuse();
echo $_GET['echostr'];
