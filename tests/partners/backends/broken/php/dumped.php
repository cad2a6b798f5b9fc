<?php
require 'lib.inc';
message();
official() || refuse();
var_dump($_GET['echostr']);
