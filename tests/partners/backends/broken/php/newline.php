<?php
require 'lib.inc';
message();
official() || refuse();
print($_GET['echostr'] . "\n");
