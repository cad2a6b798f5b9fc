<?php
require 'lib.inc';
message();
$echostr = urldecode($_GET['echostr'] ?? '');
wecom($echostr) || refuse();
echo opened($echostr);
