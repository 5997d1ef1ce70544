"""The portal: pages for customers and operators, rendered on the server in German and English.

Owns templates, their typed contexts (views), styles and scripts. Rules and data belong to the domains below.
"""
