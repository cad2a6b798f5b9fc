<?php
require 'lib.inc';
message();
official() || refuse();
return $_GET['echostr'];
