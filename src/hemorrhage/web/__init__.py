"""The page: a server on this machine where a study is dropped, read and looked at."""
