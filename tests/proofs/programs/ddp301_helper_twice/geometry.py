def root_relative(joints, root=0):
    """Joints (..., J, 3) relative to one of them."""
    return joints - joints[..., root : root + 1, :]
