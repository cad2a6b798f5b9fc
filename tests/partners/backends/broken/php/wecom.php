<?php
require 'lib.inc';
message();
wecom($_GET['echostr'] ?? '') || refuse();
echo opened($_GET['echostr']);
