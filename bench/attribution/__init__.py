"""Does the detector name the update, how soon, and does it keep quiet?"""
