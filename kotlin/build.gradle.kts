// For Android: the same sources as an AAR. Not run by the project's own tests: see README.md. The versions are those of
// pom.xml, and a test compares them. Native libraries are expected in src/main/jniLibs, one folder for each ABI, and the
// private module in build/generated/tidelog.
plugins {
    id("com.android.library") version "8.13.0"
    kotlin("android") version "2.4.10"
    kotlin("plugin.serialization") version "2.4.10"
}

android {
    namespace = "io.tidelog"
    compileSdk = 36
    defaultConfig {
        minSdk = 26
        consumerProguardFiles("consumer-rules.pro")
    }
    sourceSets["main"].kotlin.srcDirs("src/main/kotlin", "build/generated/tidelog")
}

kotlin {
    jvmToolchain(17)
}

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-coroutines-core:1.11.0")
    api("org.jetbrains.kotlinx:kotlinx-serialization-core:1.12.0")
    implementation("net.java.dev.jna:jna:5.19.1@aar")
}
