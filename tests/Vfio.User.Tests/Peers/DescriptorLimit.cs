using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Tests.Peers;

/// <summary>Lowers what the process may have open, until it is disposed.</summary>
internal sealed unsafe partial class DescriptorLimit : IDisposable
{
    private const int RLIMIT_NOFILE = 7;
    private readonly List<SafeFileHandle> _fill = [];
    private readonly ulong[] _former = new ulong[2];

    /// <summary>Leaves room for so many more, and takes all that are below the highest.</summary>
    public DescriptorLimit(int room)
    {
        var highest = Directory.GetFiles("/proc/self/fd").Max(
            path => int.Parse(Path.GetFileName(path), System.Globalization.CultureInfo.InvariantCulture));
        Set((ulong)(highest + room + 1));
        while (Libc.eventfd(0, Libc.EFD_CLOEXEC) is { IsInvalid: false } one)
            _fill.Add(one);
        foreach (var one in _fill[^room..])
            one.Dispose();
    }

    private DescriptorLimit(ulong limit) => Set(limit);

    /// <summary>Sets the limit, and takes none.</summary>
    public static DescriptorLimit Of(int limit) => new((ulong)limit);

    public void Dispose()
    {
        fixed (ulong* former = _former)
            Assert.Equal(0, setrlimit(RLIMIT_NOFILE, former));
        foreach (var one in _fill)
            one.Dispose();
    }

    private void Set(ulong soft)
    {
        fixed (ulong* former = _former)
            Assert.Equal(0, getrlimit(RLIMIT_NOFILE, former));
        var limit = stackalloc ulong[] { soft, _former[1] };
        Assert.Equal(0, setrlimit(RLIMIT_NOFILE, limit));
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getrlimit(int resource, ulong* limit);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setrlimit(int resource, ulong* limit);
}
