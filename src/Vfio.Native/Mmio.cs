using System.Runtime.CompilerServices;

namespace Vfio.Native;

/// <summary>
/// Register accesses of an exact width: one call is one naturally aligned load or store of that width, never merged, split, narrowed or
/// removed.
/// </summary>
/// <remarks>
/// The JIT narrows a masked <c>Volatile.Read</c>, fuses a read with the write after it, and deletes one whose result is dropped. A call
/// that it may not inline is the only form that it leaves alone. The pointer must be aligned to the width; it is not checked.
/// </remarks>
public static unsafe class Mmio
{
    /// <summary>Loads one byte.</summary>
    /// <param name="register">The register's address.</param>
    /// <returns>What the register held.</returns>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static byte Read8(void* register) => Volatile.Read(ref *(byte*)register);

    /// <summary>Loads two bytes.</summary>
    /// <inheritdoc cref="Read8"/>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static ushort Read16(void* register) => Volatile.Read(ref *(ushort*)register);

    /// <summary>Loads four bytes.</summary>
    /// <inheritdoc cref="Read8"/>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static uint Read32(void* register) => Volatile.Read(ref *(uint*)register);

    /// <summary>Loads eight bytes.</summary>
    /// <inheritdoc cref="Read8"/>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static ulong Read64(void* register) => Volatile.Read(ref *(ulong*)register);

    /// <summary>Stores one byte.</summary>
    /// <param name="register">The register's address.</param>
    /// <param name="value">What to store.</param>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Write8(void* register, byte value) => Volatile.Write(ref *(byte*)register, value);

    /// <summary>Stores two bytes.</summary>
    /// <inheritdoc cref="Write8"/>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Write16(void* register, ushort value) => Volatile.Write(ref *(ushort*)register, value);

    /// <summary>Stores four bytes.</summary>
    /// <inheritdoc cref="Write8"/>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Write32(void* register, uint value) => Volatile.Write(ref *(uint*)register, value);

    /// <summary>Stores eight bytes.</summary>
    /// <inheritdoc cref="Write8"/>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Write64(void* register, ulong value) => Volatile.Write(ref *(ulong*)register, value);
}
