<?php
require 'lib.inc';
message();
$_GET['msg_signature'] === sorted([token(), $_GET['timestamp'], $_GET['nonce']]) || refuse();
echo opened($_GET['echostr']);
