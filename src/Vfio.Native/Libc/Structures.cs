using System.Runtime.InteropServices;

namespace Vfio.Native;

#pragma warning disable CS1591, IDE1006 // The C structures, field for field; tests/Vfio.Native.Tests holds their layouts against gcc's.

public unsafe struct iovec
{
    public void* iov_base;
    public nuint iov_len;
}

public unsafe struct msghdr
{
    public void* msg_name;
    public uint msg_namelen;
    public iovec* msg_iov;
    public nuint msg_iovlen;
    public void* msg_control;
    public nuint msg_controllen;
    public int msg_flags;
}

public struct cmsghdr
{
    public nuint cmsg_len;
    public int cmsg_level;
    public int cmsg_type;
}

public struct pollfd
{
    public int fd;
    public short events;
    public short revents;
}

public unsafe struct sockaddr_un
{
    public ushort sun_family;
    public fixed byte sun_path[108];
}

public struct timeval
{
    public long tv_sec;
    public long tv_usec;
}

public struct rlimit
{
    public ulong rlim_cur;
    public ulong rlim_max;
}

public struct statx_timestamp
{
    public long tv_sec;
    public uint tv_nsec;
    public int __reserved;
}

public unsafe struct statx_t
{
    public uint stx_mask;
    public uint stx_blksize;
    public ulong stx_attributes;
    public uint stx_nlink;
    public uint stx_uid;
    public uint stx_gid;
    public ushort stx_mode;
    public ushort __spare0;
    public ulong stx_ino;
    public ulong stx_size;
    public ulong stx_blocks;
    public ulong stx_attributes_mask;
    public statx_timestamp stx_atime;
    public statx_timestamp stx_btime;
    public statx_timestamp stx_ctime;
    public statx_timestamp stx_mtime;
    public uint stx_rdev_major;
    public uint stx_rdev_minor;
    public uint stx_dev_major;
    public uint stx_dev_minor;
    public fixed ulong __spare1[14];
}

#pragma warning restore CS1591, IDE1006
