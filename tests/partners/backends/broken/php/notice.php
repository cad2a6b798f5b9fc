<?php
require 'lib.inc';
message();
official() || refuse();
ini_set('display_errors', '1');
echo $undefined, $_GET['echostr'];
