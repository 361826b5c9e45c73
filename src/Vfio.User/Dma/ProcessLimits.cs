using System.Globalization;
using Vfio.Native;

namespace Vfio.User.Dma;

/// <summary>
/// What all clients together may take of that of which a process has only so much. Where mappings, addresses or descriptors run out it is
/// not the client that fails but whoever asks next: the runtime ends the process when it cannot map what it has compiled. Thread-safe.
/// </summary>
internal static unsafe class ProcessLimits
{
    // The kernel's DEFAULT_MAX_MAP_COUNT, where there is no /proc to tell.
    private const int DefaultMaxMapCount = 65530;

    // Half of what a 64-bit kernel has is the process's, where RLIMIT_AS does not say less: 128 TiB.
    private const ulong AddressSpace = 1ul << 47;

    // So many clients that take all they can leave others nothing.
    private const int Clients = 8;
    private static readonly int s_mostMappings = MaxMapCount() / 2;
    private static long s_mappings;
    private static long s_addresses;
    private static long s_descriptors;
    private static long s_backings;

    /// <summary>
    /// Takes a mapping. All clients have half of what the kernel allows (vm.max_map_count), and half of the addresses (RLIMIT_AS): a sparse
    /// file of any size costs a client nothing. The rest is the runtime's and the host's.
    /// </summary>
    /// <param name="length">Its bytes.</param>
    /// <param name="mappings">How many the client has; counts on success.</param>
    /// <param name="addresses">How many bytes they have; counts on success.</param>
    public static bool TryTakeMapping(ulong length, ref long mappings, ref long addresses)
    {
        if (!TryTake(1, ref s_mappings, s_mostMappings, ref mappings))
            return false;
        if (TryTake(length, ref s_addresses, (long)(Math.Min(Limit(Libc.RLIMIT_AS), AddressSpace) / 2), ref addresses))
            return true;
        Return(1, ref s_mappings, ref mappings);
        return false;
    }

    public static void ReturnMapping(ulong length, ref long mappings, ref long addresses)
    {
        Return(1, ref s_mappings, ref mappings);
        Return((long)length, ref s_addresses, ref addresses);
    }

    /// <summary>Takes a descriptor. All clients have half of what the process may have open now (RLIMIT_NOFILE).</summary>
    /// <param name="taken">How many the client has; counts on success.</param>
    public static bool TryTakeDescriptor(ref long taken)
        => TryTake(1, ref s_descriptors, (long)Math.Min(Limit(Libc.RLIMIT_NOFILE), int.MaxValue) / 2, ref taken);

    public static void ReturnDescriptor(ref long taken) => Return(1, ref s_descriptors, ref taken);

    /// <summary>
    /// Takes a descriptor that is kept only to be passed on. All clients have an eighth of what the process may have open, beside the half
    /// above: they cost nobody a file that is needed.
    /// </summary>
    /// <param name="taken">How many the client has; counts on success.</param>
    public static bool TryTakeBacking(ref long taken)
        => TryTake(1, ref s_backings, (long)Math.Min(Limit(Libc.RLIMIT_NOFILE), int.MaxValue) / 8, ref taken);

    public static void ReturnBacking(ref long taken) => Return(1, ref s_backings, ref taken);

    private static bool TryTake(ulong amount, ref long all, long most, ref long taken)
    {
        if (taken > most / Clients || amount > (ulong)((most / Clients) - taken))
            return false;
        if (Interlocked.Add(ref all, (long)amount) > most)
        {
            Interlocked.Add(ref all, -(long)amount);
            return false;
        }

        taken += (long)amount;
        return true;
    }

    private static void Return(long amount, ref long all, ref long taken)
    {
        taken -= amount;
        Interlocked.Add(ref all, -amount);
    }

    private static ulong Limit(int resource)
    {
        rlimit limit;
        return Libc.getrlimit(resource, &limit) == 0 ? limit.rlim_cur : 0;
    }

    private static int MaxMapCount()
    {
        const string Path = "/proc/sys/vm/max_map_count";
        return File.Exists(Path) && int.TryParse(File.ReadAllText(Path), NumberStyles.None | NumberStyles.AllowTrailingWhite,
            CultureInfo.InvariantCulture, out var count) ? count : DefaultMaxMapCount;
    }
}
