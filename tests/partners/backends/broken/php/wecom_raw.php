<?php
require 'lib.inc';
message();
preg_match('/echostr=([^&]*)/', $_SERVER['QUERY_STRING'], $found);
wecom($found[1] ?? '') || refuse();
echo opened($_GET['echostr']);
