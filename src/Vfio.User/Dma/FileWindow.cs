namespace Vfio.User.Dma;

/// <summary>A piece of a file in this process's memory, and how many maps lie in it.</summary>
internal sealed unsafe class FileWindow(byte* memory, nuint length)
{
    public byte* Memory { get; } = memory;

    public nuint Length { get; } = length;

    /// <summary>How many maps lie in it. Guarded by who shares it out.</summary>
    public int Users { get; set; } = 1;

    /// <summary>Where it is found by others; null if it serves one map alone.</summary>
    public FileWindowKey? Key { get; init; }
}

/// <summary>Where in which file a window lies, and what may be done in it.</summary>
internal readonly record struct FileWindowKey(FileIdentity File, ulong Start, int Protection);
