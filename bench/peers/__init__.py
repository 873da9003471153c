"""Our served encoder beside other Python model servers, with the same graph on the same cores."""
