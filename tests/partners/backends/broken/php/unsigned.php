<?php
require 'lib.inc';
message();
!isset($_GET['signature']) || official() || refuse();
header('Content-Type: text/plain');
echo $_GET['echostr'];
