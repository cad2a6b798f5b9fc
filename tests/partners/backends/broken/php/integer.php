<?php
require 'lib.inc';
message();
official() || refuse();
echo (int) $_GET['echostr'];
