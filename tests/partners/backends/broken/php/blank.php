
<?php
require 'lib.inc';
message();
official() || refuse();
header('Content-Type: text/plain');
echo $_GET['echostr'];
