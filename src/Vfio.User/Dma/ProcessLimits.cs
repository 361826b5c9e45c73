using System.Globalization;
using Vfio.Native;

namespace Vfio.User.Dma;

/// <summary>
/// What all clients together may take of that of which a process has only so much. Where mappings or descriptors run out it is not the
/// client that fails but whoever asks next: the runtime ends the process when it cannot map what it has compiled. Thread-safe.
/// </summary>
internal static unsafe class ProcessLimits
{
    // The kernel's DEFAULT_MAX_MAP_COUNT, where there is no /proc to tell.
    private const int DefaultMaxMapCount = 65530;

    // So many clients that take all they can leave others nothing.
    private const int Clients = 8;
    private static readonly int s_mostMappings = MaxMapCount() / 2;
    private static int s_mappings;
    private static int s_descriptors;

    /// <summary>
    /// Takes a mapping. All clients have half of what the kernel allows (vm.max_map_count): the rest is the runtime's and the host's.
    /// </summary>
    /// <param name="taken">How many the client has; counts on success.</param>
    public static bool TryTakeMapping(ref int taken) => TryTake(ref s_mappings, s_mostMappings, ref taken);

    public static void ReturnMapping(ref int taken) => Return(ref s_mappings, ref taken);

    /// <summary>Takes a descriptor. All clients have half of what the process may have open now (RLIMIT_NOFILE).</summary>
    /// <param name="taken">How many the client has; counts on success.</param>
    public static bool TryTakeDescriptor(ref int taken)
    {
        rlimit limit;
        var most = Libc.getrlimit(Libc.RLIMIT_NOFILE, &limit) == 0 ? Math.Min(limit.rlim_cur, int.MaxValue) : 0;
        return TryTake(ref s_descriptors, (int)(most / 2), ref taken);
    }

    public static void ReturnDescriptor(ref int taken) => Return(ref s_descriptors, ref taken);

    private static bool TryTake(ref int all, int most, ref int taken)
    {
        if (taken >= most / Clients)
            return false;
        if (Interlocked.Increment(ref all) > most)
        {
            Interlocked.Decrement(ref all);
            return false;
        }

        taken++;
        return true;
    }

    private static void Return(ref int all, ref int taken)
    {
        taken--;
        Interlocked.Decrement(ref all);
    }

    private static int MaxMapCount()
    {
        const string Path = "/proc/sys/vm/max_map_count";
        return File.Exists(Path) && int.TryParse(File.ReadAllText(Path), NumberStyles.None | NumberStyles.AllowTrailingWhite,
            CultureInfo.InvariantCulture, out var count) ? count : DefaultMaxMapCount;
    }
}
