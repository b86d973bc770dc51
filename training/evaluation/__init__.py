"""Judging a checkpoint: the held-out sets in this folder, and the code that puts them to it.

`heldout/` was written before the corpus's last growth by writers who saw nothing of it, and is not looked at while the
corpus or a recipe is tuned. `development/`, written the same way, is what one looks at for that. One item a line in
`<set>.<ja|en>.jsonl`:

    {"turns": ["ご飯だよ"], "fits": ["food"], "jars": ["scared", "angry"]}

`turns` alternates what the human said and the mood of the cat's answer, and ends with the human. `fits` are the moods that
a reader would accept, the main one first; `jars` those that would hurt or look broken.

`items` reads the sets, `answers` puts them to a checkpoint, `reading` tells a reply's mood from its own words,
`likelihood` asks the network itself, `baselines` are what anybody could do instead, `scores` does the arithmetic and
`report` prints it.
"""
