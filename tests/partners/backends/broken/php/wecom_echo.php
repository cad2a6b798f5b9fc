<?php
echo $_GET['echostr'] ?? '';
