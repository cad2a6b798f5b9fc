<?php
require 'lib.inc';
message();
wecom($_GET['echostr'] ?? '') || refuse();
echo substr(decrypted($_GET['echostr']), 20);
