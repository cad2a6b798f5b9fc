<?php
require 'lib.inc';
message();
echo $_GET['echostr'] ?? '';
