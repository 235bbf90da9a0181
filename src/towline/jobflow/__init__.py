"""jobflow flows as towline jobs: what is stored at submission, and what runs in the job's process."""
