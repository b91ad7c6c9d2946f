"""What several formats share: stacks, timelines, words, bytes."""
