"""Mail in and out in the forms that other programs read: Maildir, mbox, IMAP."""
