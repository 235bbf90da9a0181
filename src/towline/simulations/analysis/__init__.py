"""Statistics of series and fields that know nothing of any physics."""
