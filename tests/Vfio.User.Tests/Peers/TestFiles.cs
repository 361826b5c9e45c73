using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Tests.Peers;

/// <summary>Descriptors of every kind that a client might send.</summary>
internal static unsafe class TestFiles
{
    public static SafeFileHandle EventFd(uint initial = 0) => Checked(Libc.eventfd(initial, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK));

    /// <summary>Memory as QEMU's memfd backend makes it: sealed against shrinking.</summary>
    public static SafeFileHandle SealedMemory(long size, int seals = Libc.F_SEAL_SHRINK)
    {
        var file = Checked(Libc.memfd_create("guest", Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING));
        Assert.Equal(0, Libc.ftruncate(file, size));
        Assert.Equal(0, Libc.fcntl(file, Libc.F_ADD_SEALS, seals));
        return file;
    }

    public static SafeFileHandle UnsealedMemory(long size)
    {
        var file = Checked(Libc.memfd_create("guest", Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING));
        Assert.Equal(0, Libc.ftruncate(file, size));
        return file;
    }

    public static byte[] Read(SafeFileHandle file, long offset, int length)
    {
        var bytes = new byte[length];
        Assert.Equal(length, RandomAccess.Read(file, bytes, offset));
        return bytes;
    }

    public static void Write(SafeFileHandle file, long offset, byte[] bytes) => RandomAccess.Write(file, bytes, offset);

    /// <summary>What an eventfd has counted since it was last read.</summary>
    public static ulong Count(SafeFileHandle eventFd)
    {
        ulong count = 0;
        return Libc.read(eventFd, &count, sizeof(ulong)) == sizeof(ulong) ? count : 0;
    }

    /// <summary>How many descriptors are open, but for those of assemblies, which the runtime loads when it comes to them.</summary>
    public static int OpenDescriptors()
        => DescriptorTargets().Count(target => !target.EndsWith(".dll", StringComparison.Ordinal));

    /// <summary>What is open, for a message that says why a count is another than expected.</summary>
    public static IEnumerable<string> DescriptorTargets()
        => Directory.GetFiles("/proc/self/fd").Select(path => new FileInfo(path).LinkTarget ?? "closed").Order(StringComparer.Ordinal);

    /// <summary>Memory that the process holds, after what nobody uses has been given back to the system.</summary>
    public static long ResidentBytes()
    {
        // The messages of the test's own client as well: back to the system, not only free.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        var pages = File.ReadAllText("/proc/self/statm").Split(' ')[1];
        return long.Parse(pages, System.Globalization.CultureInfo.InvariantCulture) * 4096;
    }

    public static SafeFileHandle Open(string path, FileMode mode = FileMode.OpenOrCreate, FileAccess access = FileAccess.ReadWrite)
        => File.OpenHandle(path, mode, access, FileShare.ReadWrite);

    private static SafeFileHandle Checked(SafeFileHandle handle) => handle.IsInvalid ? throw VfioException.FromLibc("test file") : handle;
}

/// <summary>Tests that count what the whole process has: no other test runs beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public class ProcessWide
{
    public const string Name = "process-wide";
}
