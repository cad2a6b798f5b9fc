<?php
require 'lib.inc';
message();
wecom($_GET['echostr'] ?? '') || refuse();
print(opened($_GET['echostr']) . "\n");
