<?php
ini_set('display_errors', '1');
mcrypt_module_open(1, '', 2, '');
