namespace Vfio.User.Tests.Peers;

/// <summary>What the process has, after everything that nobody refers to is gone.</summary>
/// <param name="Descriptors">Open descriptors.</param>
/// <param name="Threads">Threads that are not the runtime's pool's.</param>
/// <param name="HeapBytes">Bytes of live objects.</param>
/// <param name="ResidentBytes">Resident memory.</param>
internal sealed record ProcessCounts(int Descriptors, int Threads, long HeapBytes, long ResidentBytes)
{
    // Of what the runtime does by itself meanwhile (compiled code, its own caches): nothing of it grows with what is repeated.
    private const int DescriptorSlack = 2;
    private const int ThreadSlack = 2;
    private const long HeapSlack = 1 << 20;
    private const long ResidentSlack = 24 << 20;

    public static ProcessCounts Now()
    {
        var resident = TestFiles.ResidentBytes();
        return new(TestFiles.OpenDescriptors(), OwnThreads(), GC.GetTotalMemory(forceFullCollection: true), resident);
    }

    public bool IsNoMoreThan(ProcessCounts before)
        => Descriptors <= before.Descriptors + DescriptorSlack
            && Threads <= before.Threads + ThreadSlack
            && HeapBytes <= before.HeapBytes + HeapSlack
            && ResidentBytes <= before.ResidentBytes + ResidentSlack;

    private static int OwnThreads() => Directory.GetDirectories("/proc/self/task").Count(task =>
    {
        try
        {
            return !File.ReadAllText(Path.Combine(task, "comm")).StartsWith(".NET TP", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            // It has ended while it was looked at.
            return false;
        }
    });
}
