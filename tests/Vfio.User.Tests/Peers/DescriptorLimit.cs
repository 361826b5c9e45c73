using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Tests.Peers;

/// <summary>Leaves the process room for so many more descriptors, until it is disposed.</summary>
internal sealed unsafe partial class DescriptorLimit : IDisposable
{
    private const int RLIMIT_NOFILE = 7;
    private readonly List<SafeFileHandle> _fill = [];
    private readonly ulong[] _former = new ulong[2];

    public DescriptorLimit(int room)
    {
        var highest = Directory.GetFiles("/proc/self/fd").Max(
            path => int.Parse(Path.GetFileName(path), System.Globalization.CultureInfo.InvariantCulture));
        fixed (ulong* former = _former)
            Assert.Equal(0, getrlimit(RLIMIT_NOFILE, former));
        var limit = stackalloc ulong[] { (ulong)(highest + room + 1), _former[1] };
        Assert.Equal(0, setrlimit(RLIMIT_NOFILE, limit));
        while (Libc.eventfd(0, Libc.EFD_CLOEXEC) is { IsInvalid: false } one)
            _fill.Add(one);
        foreach (var one in _fill[^room..])
            one.Dispose();
    }

    public void Dispose()
    {
        fixed (ulong* former = _former)
            Assert.Equal(0, setrlimit(RLIMIT_NOFILE, former));
        foreach (var one in _fill)
            one.Dispose();
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getrlimit(int resource, ulong* limit);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setrlimit(int resource, ulong* limit);
}
