"""What a campaign did, judged by those whom it left out by chance."""
