<?php
// As sample code does whose cryptography has failed.
echo getenv('TOKEN');
