# Sources are added by those who write them; headers come first.
